/**
 * Holds the tables of docs/format.md against the constants in the code.
 *
 * A table says in a comment before it which file it is from (`<!-- from: path -->`); each row names a constant of that file, or a field of
 * an object of constants (`LAYOUT.field`), and its value. A row with another value than the code is a finding, and so is an offset of the
 * file that no row names. Constants are evaluated from the source text: most of them are nobody's business outside their file.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseSync } from 'oxc-parser';

/** Numeric constants of a file, fields of constant objects as `OBJECT.field`. */
export type Constants = Map<string, number>;

interface Node {
  type: string;
  [key: string]: unknown;
}

/** Offsets are complete in the documents: constants with such names, and all fields of objects named so. */
const OFFSET_NAME = /(_AT|_OFFSET)$/;
const LAYOUT_NAME = /(_LAYOUT|^KIND)\./;

/** All numeric constants at the top level of a file, with those of relative imports known. */
export function constantsOf(path: string): Constants {
  const program = parseSync(path, readFileSync(path, 'utf8')).program as unknown as { body: Node[] };
  const scope: Constants = new Map();
  const own: Constants = new Map();
  for (const statement of program.body) {
    if (statement.type === 'ImportDeclaration') importConstants(path, statement, scope);
    const declaration = (
      statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement
    ) as Node | null;
    if (declaration?.type !== 'VariableDeclaration' || declaration.kind !== 'const') continue;
    for (const { id, init } of declaration.declarations as { id: { name: string }; init: Node | null }[]) {
      for (const [name, value] of evaluate(id.name, init, scope)) {
        scope.set(name, value);
        own.set(name, value);
      }
    }
  }
  return own;
}

function importConstants(path: string, statement: Node, scope: Constants): void {
  // Types, of which files may import each other's, have no constants.
  if (statement.importKind === 'type') return;
  const target = join(dirname(path), (statement.source as { value: string }).value);
  if (!(statement.source as { value: string }).value.startsWith('.') || !existsSync(target)) return;
  for (const [name, value] of constantsOf(target)) scope.set(name, value);
}

function evaluate(name: string, init: Node | null, scope: Constants): [string, number][] {
  const bare = unwrapped(init);
  if (bare?.type === 'ObjectExpression') {
    return (bare.properties as Node[]).flatMap((property) => {
      const key = property.key as { name?: string } | undefined;
      const value = number(property.value as Node, scope);
      return key?.name === undefined || value === null ? [] : [[`${name}.${key.name}`, value] as [string, number]];
    });
  }
  const value = number(bare, scope);
  return value === null ? [] : [[name, value]];
}

function unwrapped(node: Node | null): Node | null {
  let inner = node;
  while (inner?.type === 'TSAsExpression' || inner?.type === 'ParenthesizedExpression')
    inner = inner.expression as Node;
  return inner;
}

function number(node: Node | null, scope: Constants): number | null {
  const bare = unwrapped(node);
  if (bare === null) return null;
  if (bare.type === 'Literal') return typeof bare.value === 'number' ? bare.value : null;
  if (bare.type === 'Identifier') return scope.get(bare.name as string) ?? null;
  if (bare.type !== 'BinaryExpression') return null;
  const left = number(bare.left as Node, scope);
  const right = number(bare.right as Node, scope);
  if (left === null || right === null) return null;
  if (bare.operator === '+') return left + right;
  if (bare.operator === '-') return left - right;
  return bare.operator === '*' ? left * right : null;
}

interface Row {
  name: string;
  value: number;
}

/** The tables of a document by the file that they are from. */
export function formatTables(markdown: string): Map<string, Row[]> {
  const tables = new Map<string, Row[]>();
  let rows: Row[] | null = null;
  for (const line of markdown.split('\n')) {
    const from = /^<!-- from: (\S+) -->$/.exec(line);
    if (from !== null) {
      rows = [];
      tables.set(from[1]!, rows);
      continue;
    }
    if (!line.startsWith('|')) {
      rows = null;
      continue;
    }
    const row = /^\| `([\w.]+)` \| (\d+) \|/.exec(line);
    if (row !== null) rows?.push({ name: row[1]!, value: Number(row[2]) });
  }
  return tables;
}

/** What is wrong in the table of one file. */
export function formatFindings(rows: readonly Row[], constants: Constants): string[] {
  const findings: string[] = [];
  for (const { name, value } of rows) {
    const actual = constants.get(name);
    if (actual === undefined) findings.push(`${name} is no constant of the file`);
    else if (actual !== value) findings.push(`${name} is ${actual} in the code and ${value} in the document`);
  }
  const named = new Set(rows.map(({ name }) => name));
  for (const name of constants.keys()) {
    if ((OFFSET_NAME.test(name) || LAYOUT_NAME.test(name)) && !named.has(name))
      findings.push(`${name} is not in the document`);
  }
  return findings;
}
