/**
 * Touching a leaf: redirecting the path to it without changing an entry, both halves.
 *
 * For layers that delay their changes until a delta is closed. What they will change then is of the open delta from now on, so it stays in
 * memory and needs no redirect: applying the changes reads nothing, and takes no more room than new leaves for what is added.
 */
import { prepareRedirect, redirectPath } from './redirect.ts';
import type { TreeState } from './tree-state.ts';

/** Redirects what `key` belongs to, if it needs it. False if there was nothing to redirect. Throws as `putValue`, with nothing changed. */
export function touchLeaf(state: TreeState, key: Uint8Array, isReclaiming: boolean): boolean {
  const { core } = state;
  const { entry, path } = core;
  for (;;) {
    entry.loadKey(key);
    if (path.seekCached(state, entry.key, entry.keyLength)) {
      // Whatever changed the leaf in the open delta has redirected all above it.
      if (!state.needsRedirect(0, path.numbers[0]!, path.births[0]!)) return false;
      path.hold();
    } else {
      path.seek(state, entry.key, entry.keyLength, 0);
    }
    try {
      const { lowestLevel } = path;
      const needsLeaf = lowestLevel === 0 && state.needsRedirect(0, path.numbers[0]!, path.births[0]!);
      const nodeCount = prepareRedirect(state, path, lowestLevel);
      if (nodeCount === 0 && !needsLeaf) return false;
      if (!core.ensure(needsLeaf ? 1 : 0, nodeCount, isReclaiming)) continue;
      state.changed();
      redirectPath(state, path, lowestLevel);
      return true;
    } finally {
      core.releasePaths();
    }
  }
}
