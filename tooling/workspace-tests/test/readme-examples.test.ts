import { describe, expect, it } from 'vitest';
import { checkExampleTypes, examplesIn, readExamples, readmePaths, runExample } from '../src/readme-examples.ts';

describe('README examples', () => {
  const all = readmePaths().flatMap(readExamples);

  for (const path of readmePaths().filter((entry) => entry.startsWith('packages/'))) {
    it(`${path} has an example`, () => {
      expect(readExamples(path).length).toBeGreaterThan(0);
    });
  }

  it('have the right types', () => {
    expect(checkExampleTypes(all)).toEqual({ status: 0, output: '' });
  });

  for (const example of all) {
    it(`${example.name} runs`, () => {
      const { status, output } = runExample(example);
      expect(status, output).toBe(0);
    });
  }
});

describe('README canaries: a broken example is found', () => {
  const fenced = (body: string): string => `text\n\n\`\`\`ts\n// example\n${body}\n\`\`\`\n`;

  it('finds the examples in a text, and only those', () => {
    const text = `${fenced('const a = 1;')}\n\`\`\`ts\nconst notAnExample = 1;\n\`\`\`\n${fenced('const b = 2;')}`;
    expect(examplesIn('canary', text).map((example) => example.text)).toEqual([
      '// example\nconst a = 1;\n',
      '// example\nconst b = 2;\n',
    ]);
  });

  it('a claim that does not hold', () => {
    const body = "import assert from 'node:assert/strict';\nassert.equal(1 + 1, 3);";
    const [example] = examplesIn('canary claim', fenced(body));
    expect(runExample(example).status).not.toBe(0);
  });

  it('a wrong name of an export', () => {
    const [example] = examplesIn(
      'canary name',
      fenced("import { noSuchThing } from '@outwrite/blockdev';\nnoSuchThing();"),
    );
    expect(runExample(example).status).not.toBe(0);
    expect(checkExampleTypes([example]).output).toContain('noSuchThing');
  });
});
