/**
 * Finds links in Markdown that lead to no file or heading of this workspace. Links to other places are not followed.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const inlineLink = /\[[^\]]*\]\(([^()\s]+)\)/g;
const fencedBlock = /^```[\s\S]*?^```$/gm;

/** The anchor that readers of Markdown derive from a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');
}

function anchorsIn(markdown: string): Set<string> {
  const text = markdown.replace(fencedBlock, '');
  return new Set([...text.matchAll(/^#{1,6} (.+)$/gm)].map((match) => anchorOf(match[1])));
}

/** Broken links of one document; `path` is where it stands below `root`. */
export function linkFindings(root: string, path: string, markdown: string): string[] {
  const findings: string[] = [];
  for (const [, target] of markdown.replace(fencedBlock, '').matchAll(inlineLink)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [file, anchor] = target.split('#');
    const place = file === '' ? path : normalize(join(dirname(path), file));
    const absolute = join(root, place);
    if (file !== '' && (place.startsWith('..') || !existsSync(absolute))) {
      findings.push(`${path}: ${target} leads nowhere`);
    } else if (anchor && (file === '' || statSync(absolute).isFile())) {
      const text = file === '' ? markdown : readFileSync(absolute, 'utf8');
      if (!anchorsIn(text).has(anchor)) findings.push(`${path}: ${target} names no heading`);
    }
  }
  return findings;
}
