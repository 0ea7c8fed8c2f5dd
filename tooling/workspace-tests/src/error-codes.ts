/**
 * Holds docs/errors.md against the one list of codes, the union `ErrorCode` in blockdev.
 */
const unionDeclaration = /export type ErrorCode =([\s\S]*?);/;

/** The members of the union, in the order of the source. Throws if the union is not found. */
export function codesInUnion(source: string): string[] {
  const union = unionDeclaration.exec(source);
  if (union === null) throw new Error('the union ErrorCode is not where it is expected');
  return [...union[1].matchAll(/'(E[A-Z0-9]+)'/g)].map((match) => match[1]);
}

/** The codes that stand as headings in the document. */
export function codesInHeadings(markdown: string): string[] {
  return [...markdown.matchAll(/^#{2,4} `?(E[A-Z0-9]+)`?\b/gm)].map((match) => match[1]);
}

/** Codes without a heading, headings without a code, and headings that stand twice. */
export function errorCodeFindings(source: string, markdown: string): string[] {
  const codes = codesInUnion(source);
  const headings = codesInHeadings(markdown);
  const findings: string[] = [];
  for (const code of codes) if (!headings.includes(code)) findings.push(`${code} has no heading in docs/errors.md`);
  for (const heading of headings) if (!codes.includes(heading)) findings.push(`${heading} is no code of ErrorCode`);
  if (new Set(headings).size !== headings.length) findings.push('a code has two headings in docs/errors.md');
  return findings;
}
