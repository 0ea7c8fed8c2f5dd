/**
 * A volume under every call of its interface: by path and by descriptor, synchronous and with promises, alone and in transactions.
 */
import type { BlockDevice } from '@outwrite/blockdev';
import type { Random } from '@outwrite/testkit';
import type { Layer, Model, Settings, Subject } from '../layer.ts';
import { attributesOf, CallModel, callContent } from './call-model.ts';
import { type CallContext, callAsync, callSync, type PlannedCall, planCall } from './volume-calls.ts';
import { createVolume, digest, openVolume, VolumeSubject } from './volume-layer.ts';
import { look, lookSync } from './volume-reads.ts';

class CallSubject extends VolumeSubject {
  override content(): string {
    return callContent(this.volume.fs);
  }
}

export const callLayer: Layer = {
  name: 'calls',
  changesInSteps: true,

  newModel(): Model {
    return new CallModel();
  },

  format(device: BlockDevice, settings: Settings, random: Random): Subject {
    return new CallSubject(createVolume(device, settings, random));
  },

  open(device: BlockDevice, settings: Settings, options: { readOnly: boolean; random: Random }): Subject {
    return new CallSubject(openVolume(device, settings, options));
  },

  change(subject: Subject, model: Model, settings: Settings, random: Random): boolean {
    const context = contextOf(subject, model, settings, random);
    if (!random.chance(0.1)) {
      change(context, false);
      return true;
    }
    // All or nothing; each of them counts in the model as it is made, since want of space undoes none.
    (subject as VolumeSubject).volume.transact(() => {
      for (let count = random.between(2, 4); count > 0; count--) change(context, true);
    });
    return false;
  },

  async changeAsync(subject: Subject, model: Model, settings: Settings, random: Random): Promise<boolean> {
    const context = contextOf(subject, model, settings, random);
    if (random.chance(0.15)) {
      await look(context);
      return false;
    }
    if (random.chance(0.03)) {
      const { errorCount, complete } = await (subject as VolumeSubject).volume.scrub();
      if (errorCount > 0 || !complete) throw new Error(`a scrub of a sound volume finds ${errorCount} errors`);
      return false;
    }
    const call = planCall(context);
    try {
      call.apply(await callAsync(context, call));
    } catch (error) {
      afterWantOfSpace(context, call, error, true);
    }
    return true;
  },

  probe(subject: Subject, model: Model, settings: Settings, random: Random): void {
    lookSync(contextOf(subject, model, settings, random));
  },
};

function contextOf(subject: Subject, model: Model, settings: Settings, random: Random): CallContext {
  return { fs: (subject as VolumeSubject).volume.fs, model: model as CallModel, settings, random };
}

function change(context: CallContext, inTransaction: boolean): void {
  let call = planCall(context);
  // What commits cannot be part of a transaction.
  while (inTransaction && commits(call)) call = planCall(context);
  try {
    call.apply(callSync(context, call));
  } catch (error) {
    afterWantOfSpace(context, call, error, !inTransaction);
  }
}

function commits({ name, args }: PlannedCall): boolean {
  return name === 'fsync' || name === 'fdatasync' || (args[2] as { flush?: boolean } | undefined)?.flush === true;
}

/**
 * A large write may have written a part, as everywhere; nothing else may have changed anything. What deletes must succeed, except in a
 * transaction, which cannot be committed to gain space.
 */
function afterWantOfSpace(
  { fs, model, settings }: CallContext,
  call: PlannedCall,
  error: unknown,
  deletesSucceed: boolean,
): void {
  if ((error as { code?: string }).code !== 'ENOSPC') throw error;
  const takesAway = call.name === 'unlink' || call.name === 'rm' || call.name === 'rmdir';
  if (takesAway && deletesSucceed && settings.lateWrites !== true)
    throw new Error(`${call.name} ran out of space`, { cause: error });
  if (call.name === 'rm') {
    // It takes away one name after the other.
    const top = call.args[0] as string;
    for (const path of [...model.nodes.keys()]) {
      const isGone = fs.lstatSync(path, { throwIfNoEntry: false }) === undefined;
      if (path.startsWith(`${top}/`) && isGone) model.remove(path);
    }
    return;
  }
  const path = call.partly;
  if (path === undefined) {
    // The time of the change is set before it is made, and may stay, in a delta of its own, although the change came to nothing.
    const changed = call.path ?? (call.args[0] as string);
    const changedNode = model.nodes.get(changed);
    const isResize = call.name === 'truncate' || call.name === 'ftruncate' || call.name === 'punchHole';
    if (isResize && changedNode?.type === 'file') {
      changedNode.attributes = attributesOf(fs, changed);
      if (digest(fs.readFileSync(changed) as Uint8Array) === digest(changedNode.bytes)) return;
    }
    throw error;
  }
  if (!fs.existsSync(path)) return;
  const bytes = fs.readFileSync(path) as Uint8Array;
  const attributes = attributesOf(fs, path);
  const node = model.nodes.get(path);
  if (node?.type === 'file') {
    node.bytes = bytes;
    node.attributes = attributes;
  } else {
    model.nodes.set(path, { type: 'file', bytes, links: 1, attributes });
  }
}
