/**
 * What runs in a worker thread: explores the scenario runs that it is sent, one after the other, and reports each.
 */
import { parentPort } from 'node:worker_threads';
import { type Exploration, exploreScenario } from './explore.ts';
import { scenarios } from './scenarios.ts';

export interface LabTask {
  readonly scenario: string;
  readonly seed: number;
  /** One state alone. */
  readonly only?: string;
}

export type LabAnswer = Exploration;

const port = parentPort;
if (port === null) throw new Error('the lab worker runs in a worker thread');
port.on('message', (task: LabTask) => {
  void work(task).then((answer) => port.postMessage(answer));
});

async function work(task: LabTask): Promise<LabAnswer> {
  const scenario = scenarios.find(({ name }) => name === task.scenario);
  if (scenario === undefined) throw new Error(`there is no scenario ${task.scenario}`);
  return exploreScenario(scenario, task.seed, task.only);
}
