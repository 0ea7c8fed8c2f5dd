/**
 * The named workloads: each a layer with sizes, bounds and a mix of steps that brings out one kind of trouble.
 */
import type { Layer, Settings } from './layer.ts';
import { callLayer } from './layers/call-layer.ts';
import { entryLayer } from './layers/entry-layer.ts';
import { registerLayer } from './layers/register-layer.ts';
import { treeLayer } from './layers/tree-layer.ts';
import { volumeLayer } from './layers/volume-layer.ts';
import type { StepKind, WorkloadShape } from './workload.ts';

export interface Scenario {
  readonly name: string;
  readonly layer: Layer;
  readonly shape: WorkloadShape;
  /** Crash states to explore of one run, about. */
  readonly statesPerRun: number;
}

const smallBounds = { zeroAheadBytes: 0, logBlocks: 6, promises: 40 } as const;

const registerSettings: Settings = {
  blockBytes: 512,
  maxBlocks: 4096,
  cacheBytes: 1 << 16,
  bounds: smallBounds,
  population: 24,
};

/** The smallest volume there is with blocks of 512 bytes. */
const TINY_BLOCKS = 296;

const mix: Partial<Record<StepKind, number>> = {
  change: 10,
  probe: 1,
  commit: 3,
  commitSync: 2,
  checkpoint: 0.6,
  checkpointSync: 0.4,
  turns: 3,
  settle: 1,
  reopen: 0.4,
  kill: 0.2,
};

function shapes(settings: Settings): Record<string, Omit<Scenario, 'name' | 'layer'>> {
  const bounds = settings.bounds;
  return {
    calm: { statesPerRun: 400, shape: { stepCount: 50, holdTurns: 0, weights: mix, settings } },
    concurrent: {
      statesPerRun: 400,
      shape: {
        stepCount: 70,
        holdTurns: 20,
        weights: { ...mix, commit: 5, checkpoint: 1.5, turns: 6 },
        settings: { ...settings, bounds: { ...bounds, syncWriteBytes: 0 } },
      },
    },
    'held flushes': {
      statesPerRun: 400,
      shape: { stepCount: 70, holdTurns: 12, weights: { ...mix, commit: 5, checkpoint: 1.5, turns: 6 }, settings },
    },
    tiny: {
      statesPerRun: 300,
      shape: {
        stepCount: 260,
        holdTurns: 0,
        weights: { ...mix, reopen: 0.8, kill: 0.5 },
        settings: { ...settings, maxBlocks: TINY_BLOCKS, population: 12 },
      },
    },
    full: {
      statesPerRun: 200,
      shape: {
        stepCount: 900,
        holdTurns: 0,
        weights: { ...mix, change: 60 },
        settings: { ...settings, maxBlocks: TINY_BLOCKS, population: 400 },
      },
    },
    'flush first': {
      statesPerRun: 300,
      shape: {
        stepCount: 60,
        holdTurns: 8,
        weights: mix,
        settings: { ...settings, bounds: { ...bounds, flushFirstBytes: 1024, syncWriteBytes: 0 } },
      },
    },
    faulty: {
      statesPerRun: 300,
      shape: {
        stepCount: 90,
        holdTurns: 6,
        weights: { ...mix, failWrite: 0.7, failFlush: 0.7, failGrow: 0.2, view: 0.5 },
        settings: { ...settings, bounds: { ...bounds, zeroAheadBytes: 4096 } },
      },
    },
    'faulty tiny': {
      statesPerRun: 300,
      shape: {
        stepCount: 260,
        holdTurns: 0,
        weights: { ...mix, failWrite: 1, failFlush: 1, reopen: 1, kill: 0.5, view: 0.5 },
        settings: { ...settings, maxBlocks: TINY_BLOCKS, population: 8 },
      },
    },
    'faulty concurrent': {
      statesPerRun: 300,
      shape: {
        stepCount: 90,
        holdTurns: 15,
        weights: { ...mix, commit: 5, checkpoint: 1.5, turns: 6, failWrite: 0.7, failFlush: 0.7 },
        settings: { ...settings, bounds: { ...bounds, syncWriteBytes: 0 } },
      },
    },
    late: {
      statesPerRun: 300,
      shape: {
        stepCount: 300,
        holdTurns: 3000,
        weights: { change: 10, commit: 2, commitSync: 5, checkpointSync: 0.5, checkpoint: 0.3, turns: 1, settle: 0.1 },
        settings: {
          ...settings,
          maxBlocks: TINY_BLOCKS,
          population: 90,
          bounds: { ...bounds, syncWriteBytes: 0 },
          lateWrites: true,
        },
      },
    },
    'overtaken flushes': {
      statesPerRun: 400,
      shape: {
        stepCount: 80,
        holdTurns: 40,
        weights: { change: 10, commit: 6, commitSync: 4, turns: 8, failFlush: 3, kill: 0.2 },
        settings: { ...settings, bounds: { ...bounds, syncWriteBytes: 0 } },
      },
    },
    'faulty slots': {
      statesPerRun: 4000,
      shape: {
        stepCount: 60,
        holdTurns: 0,
        weights: { change: 4, checkpointSync: 3, failFlush: 2, kill: 0.5 },
        settings: { ...settings, population: 4 },
      },
    },
    'stale lives': {
      statesPerRun: 300,
      shape: {
        stepCount: 300,
        holdTurns: 0,
        weights: { change: 6, commit: 2, commitSync: 2, settle: 2, failWrite: 2, failFlush: 0.5, reopen: 2, kill: 2 },
        settings: { ...settings, maxBlocks: TINY_BLOCKS, population: 3 },
      },
    },
    'large deltas': {
      statesPerRun: 300,
      shape: {
        stepCount: 150,
        holdTurns: 2,
        weights: { change: 40, commit: 1, commitSync: 1, settle: 0.5, reopen: 0.3, checkpoint: 0.3 },
        settings: { ...settings, population: 200 },
      },
    },
    'blocks of 4096 bytes': {
      statesPerRun: 300,
      shape: {
        stepCount: 60,
        holdTurns: 4,
        weights: mix,
        settings: { ...settings, blockBytes: 4096, cacheBytes: settings.cacheBytes * 8 },
      },
    },
    'blocks of 16384 bytes': {
      statesPerRun: 200,
      shape: {
        stepCount: 60,
        holdTurns: 4,
        weights: mix,
        settings: { ...settings, blockBytes: 16384, cacheBytes: settings.cacheBytes * 32 },
      },
    },
    /** A commit, a checkpoint or the end of a delta after every single change, and in the middle of those that wait. */
    boundaries: {
      statesPerRun: 300,
      shape: {
        stepCount: 60,
        holdTurns: 5,
        weights: { change: 10, probe: 1, reopen: 0.5, kill: 0.5 },
        between: ['commit', 'commitSync', 'checkpoint', 'checkpointSync', 'turns', 'settle'],
        settings,
      },
    },
    /** As few frames as there may be. */
    'tiny cache': {
      statesPerRun: 300,
      shape: {
        stepCount: 90,
        holdTurns: 6,
        weights: { ...mix, probe: 4 },
        settings: { ...settings, cacheBytes: 1 << 13, population: 2 * settings.population },
      },
    },
    /** A checkpoint is due after every second log block. */
    'tiny log': {
      statesPerRun: 300,
      shape: {
        stepCount: 90,
        holdTurns: 10,
        weights: { ...mix, commit: 6 },
        settings: { ...settings, bounds: { ...bounds, logBlocks: 2, promises: 3, nodes: 4 } },
      },
    },
    /** The file cannot grow any more, at any moment and for a while. */
    'short space': {
      statesPerRun: 200,
      shape: {
        stepCount: 250,
        holdTurns: 4,
        weights: {
          change: 30,
          commit: 2,
          commitSync: 2,
          checkpoint: 0.5,
          turns: 1,
          settle: 1,
          failGrow: 3,
          reopen: 0.3,
        },
        settings: { ...settings, population: 20 * settings.population },
      },
    },
    /** Many commit while a slow flush is under way. */
    committers: {
      statesPerRun: 300,
      shape: {
        stepCount: 140,
        holdTurns: 60,
        weights: { change: 8, commit: 14, checkpoint: 1, turns: 5, settle: 0.3, reopen: 0.3, kill: 0.3 },
        settings,
      },
    },
    /** Openings after unclean ends that find hardly a block that was free before and after the last delta. */
    'full openings': {
      statesPerRun: 300,
      shape: {
        stepCount: 500,
        holdTurns: 0,
        weights: { change: 30, commit: 3, commitSync: 3, settle: 2, kill: 1.5, failWrite: 0.4, failFlush: 0.4 },
        settings: { ...settings, maxBlocks: TINY_BLOCKS, population: 7 * settings.population },
      },
    },
    views: {
      statesPerRun: 100,
      shape: {
        stepCount: 900,
        holdTurns: 4,
        // Open for long enough that what was freed meanwhile would be reused.
        weights: { change: 16, commit: 2, commitSync: 5, checkpointSync: 0.4, turns: 2, view: 0.15, reopen: 0.04 },
        settings: { ...settings, maxBlocks: TINY_BLOCKS, population: 12 },
      },
    },
  };
}

function scenariosOf(layer: Layer, settings: Settings): Scenario[] {
  return Object.entries(shapes(settings)).map(([name, rest]) => ({ name: `${layer.name}/${name}`, layer, ...rest }));
}

/** As `scenariosOf`, with as many changes that wait as of the others. */
function waitingScenariosOf(layer: Layer, settings: Settings, names: readonly string[]): Scenario[] {
  return scenariosOf(layer, settings)
    .filter(({ name }) => names.includes(name.slice(layer.name.length + 1)))
    .map(({ shape, ...rest }) => {
      const { change } = shape.weights;
      return {
        ...rest,
        shape: { ...shape, weights: { ...shape.weights, change: change! / 2, changeAsync: change! / 2 } },
      };
    });
}

const treeSettings: Settings = { ...registerSettings, population: 60 };

const volumeSettings: Settings = {
  ...registerSettings,
  cacheBytes: 1 << 17,
  bounds: { ...smallBounds, flushFirstBytes: 1 << 14 },
  population: 8,
};

/** Large enough for a few files that are written from the caller's memory. */
const callSettings: Settings = { ...volumeSettings, maxBlocks: 16384 };

const callScenarios: readonly string[] = [
  'calm',
  'concurrent',
  'tiny',
  'full',
  'faulty',
  'faulty concurrent',
  'late',
  'boundaries',
  'blocks of 4096 bytes',
  'tiny cache',
  'short space',
  'committers',
];

const entryScenarios: readonly string[] = [
  'calm',
  'concurrent',
  'full',
  'faulty',
  'boundaries',
  'tiny cache',
  'short space',
];

export const scenarios: readonly Scenario[] = [
  ...scenariosOf(registerLayer, registerSettings),
  ...scenariosOf(treeLayer, treeSettings),
  ...scenariosOf(volumeLayer, volumeSettings),
  ...scenariosOf(entryLayer, treeSettings).filter(({ name }) => entryScenarios.includes(name.slice('entries/'.length))),
  ...waitingScenariosOf(callLayer, callSettings, callScenarios),
];
