/**
 * The help is part of the face of the command: it is held as a snapshot, and every command has examples that parse.
 */
import { describe, expect, it } from 'vitest';
import { outwrite, outwriteOk } from './command-run.ts';

const COMMANDS = [
  ...['create', 'info', 'df', 'log', 'check', 'scrub', 'import', 'export', 'du', 'tree'],
  ...['ls', 'stat', 'cat', 'put', 'get', 'mkdir', 'rm', 'mv', 'ln'],
];

describe('help', () => {
  it('of the program', async () => {
    expect(await outwriteOk(['--help'])).toMatchSnapshot();
  });

  it.each(COMMANDS)('of %s', async (name) => {
    const help = await outwriteOk(['help', name]);
    expect(help).toMatchSnapshot();
    expect(await outwriteOk([name, '--help'])).toBe(help);
    expect(help).toContain('Examples:\n  $ ');
  });

  it('names every command', async () => {
    const help = await outwriteOk(['--help']);
    for (const name of COMMANDS) expect(help).toMatch(new RegExp(`^ {2}${name}[ [<]`, 'm'));
  });

  it('the version is that of the package', async () => {
    expect(await outwriteOk(['--version'])).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('an unknown command has no help', async () => {
    expect((await outwrite(['help', 'frobnicate'])).exitCode).toBe(2);
  });
});
