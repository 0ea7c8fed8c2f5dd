/**
 * The `bench` command: `list`, `run`, `goals`, `report`, `compare`.
 *
 * Exit codes: 0 done; 1 a failure, a goal that is not met, or (if asked for) something slower; 2 wrong use.
 */
import { Command, CommanderError } from 'commander';
import { addCompareCommand } from './commands/compare.ts';
import { addGoalsCommand } from './commands/goals.ts';
import { addListCommand } from './commands/list.ts';
import { addReportCommand } from './commands/report.ts';
import { addRunCommand } from './commands/run.ts';

const program = new Command('bench')
  .description('Benchmarks of Outwrite and of what users would pick instead')
  .exitOverride()
  .configureHelp({ sortSubcommands: false })
  .showHelpAfterError('(--help shows the options)');

addListCommand(program);
addRunCommand(program);
addGoalsCommand(program);
addReportCommand(program);
addCompareCommand(program);
for (const command of program.commands) command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    const isHelp = error.exitCode === 0 || error.code === 'commander.help';
    process.exitCode = isHelp ? 0 : 2;
  } else {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
