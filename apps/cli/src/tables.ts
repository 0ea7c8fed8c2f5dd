/**
 * Small tables for people: aligned columns, no frames, so that `awk` and `cut` can read them as well.
 */
import Table from 'cli-table3';

export type Alignment = 'left' | 'right';

const NO_FRAME = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** The lines of a table of `rows`, the columns aligned as `alignments` says. */
export function tableLines(rows: readonly (readonly string[])[], alignments: readonly Alignment[]): string[] {
  if (rows.length === 0) return [];
  const table = new Table({
    chars: NO_FRAME,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    colAligns: [...alignments],
  });
  for (const row of rows) table.push([...row]);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

/** The lines of a list of names and values, the values in one column. */
export function factLines(facts: readonly (readonly [string, string])[]): string[] {
  return tableLines(
    facts.map(([name, value]) => [`${name}:`, value]),
    ['left', 'left'],
  );
}

/** As `tableLines`, without its cost: for listings of any length. */
export function paddedLines(rows: readonly (readonly string[])[], alignments: readonly Alignment[]): string[] {
  const widths = alignments.map((_, column) => rows.reduce((widest, row) => Math.max(widest, row[column].length), 0));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        if (alignments[column] === 'right') return cell.padStart(widths[column]);
        return column === row.length - 1 ? cell : cell.padEnd(widths[column]);
      })
      .join('  '),
  );
}

const COLUMN_GAP = 2;

/** The lines of a list of names in as many columns as fit, filled downwards as `ls` does. */
export function columnLines(names: readonly string[], lineWidth: number): string[] {
  const columnWidth = names.reduce((widest, name) => Math.max(widest, name.length), 0) + COLUMN_GAP;
  const columnCount = Math.max(1, Math.floor((lineWidth + COLUMN_GAP) / columnWidth));
  const lineCount = Math.ceil(names.length / columnCount);
  const lines: string[] = [];
  for (let line = 0; line < lineCount; line++) {
    let text = '';
    for (let index = line; index < names.length; index += lineCount) text += names[index].padEnd(columnWidth);
    lines.push(text.trimEnd());
  }
  return lines;
}
