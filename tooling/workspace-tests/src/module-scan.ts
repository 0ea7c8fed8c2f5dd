/**
 * What a module asks of the world outside it: the specifiers that it imports, and the global names that it reads.
 *
 * Both come from a real parse, so that comments, strings and type positions are told apart. "Global" is decided by name:
 * a name counts as the file's own if the file binds it anywhere (a parameter called `process` is no use of the global).
 */
import { parseSync } from 'oxc-parser';

export interface ModuleScan {
  /** Specifiers of static and dynamic imports and of re-exports, in order, each once. */
  readonly specifiers: readonly string[];
  /** Names that are read as values and bound nowhere in the file. */
  readonly unboundNames: ReadonlySet<string>;
}

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** Reads one TypeScript module. Throws an `Error` that names the file if it does not parse. */
export function scanModule(path: string, text: string): ModuleScan {
  const parsed = parseSync(path, text);
  const [problem] = parsed.errors;
  if (problem !== undefined) throw new Error(`${path} does not parse: ${problem.message}`);

  const specifiers = new Set<string>();
  for (const entry of parsed.module.staticImports) specifiers.add(entry.moduleRequest.value);
  for (const entry of parsed.module.staticExports) {
    for (const part of entry.entries) if (part.moduleRequest) specifiers.add(part.moduleRequest.value);
  }

  const bound = new Set<string>();
  const read = new Set<string>();
  visit(parsed.program as unknown as Node, null, '', (node, parent, key) => {
    if (node.type === 'ImportExpression' || node.type === 'TSImportType') {
      const source = (node.source ?? node.argument) as Node | undefined;
      const literal = source?.type === 'TSLiteralType' ? (source.literal as Node) : source;
      if (typeof literal?.value === 'string') specifiers.add(literal.value);
      else if (node.type === 'ImportExpression') specifiers.add('(computed)');
    }
    if (node.type === 'ObjectPattern') {
      for (const property of node.properties as Node[]) {
        const value = property.value as Node | undefined;
        if (value?.type === 'Identifier') bound.add(String(value.name));
      }
    }
    if (node.type !== 'Identifier') return;
    const name = String(node.name);
    if (parent === null || isPropertyName(parent, key)) return;
    if (isBinding(parent, key)) bound.add(name);
    else if (
      !parent.type.startsWith('TS') ||
      parent.type === 'TSAsExpression' ||
      parent.type === 'TSNonNullExpression'
    ) {
      read.add(name);
    }
  });
  return { specifiers: [...specifiers], unboundNames: new Set([...read].filter((name) => !bound.has(name))) };
}

type Visitor = (node: Node, parent: Node | null, key: string) => void;

function visit(node: Node, parent: Node | null, key: string, visitor: Visitor): void {
  visitor(node, parent, key);
  for (const [childKey, child] of Object.entries(node)) {
    const children = Array.isArray(child) ? child : [child];
    for (const item of children) {
      if (item !== null && typeof item === 'object' && typeof (item as Node).type === 'string') {
        visit(item as Node, node, childKey, visitor);
      }
    }
  }
}

/** `a.name`, `{ name: a }`, `class { name() {} }`: names of members, not of variables. */
function isPropertyName(parent: Node, key: string): boolean {
  if (parent.type === 'MemberExpression') return key === 'property' && parent.computed !== true;
  if (parent.type === 'Property') return key === 'key' && parent.computed !== true && parent.shorthand !== true;
  if (parent.type === 'MethodDefinition' || parent.type === 'PropertyDefinition') {
    return key === 'key' && parent.computed !== true;
  }
  if (parent.type === 'ImportSpecifier') return key === 'imported';
  if (parent.type === 'ExportSpecifier') return true;
  return parent.type === 'LabeledStatement' || parent.type === 'BreakStatement' || parent.type === 'ContinueStatement';
}

/** Declarations, parameters, imports and the left sides of patterns. */
function isBinding(parent: Node, key: string): boolean {
  switch (parent.type) {
    case 'VariableDeclarator':
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ClassDeclaration':
    case 'ClassExpression':
      return key === 'id' || key === 'params';
    case 'ArrowFunctionExpression':
      return key === 'params';
    case 'ImportSpecifier':
    case 'ImportDefaultSpecifier':
    case 'ImportNamespaceSpecifier':
      return key === 'local';
    case 'CatchClause':
      return key === 'param';
    case 'RestElement':
      return key === 'argument';
    case 'ArrayPattern':
      return true;
    case 'AssignmentPattern':
      return key === 'left';
    default:
      return false;
  }
}
