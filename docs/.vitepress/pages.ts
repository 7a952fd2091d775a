import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One line of docs/index.md. */
export interface Page {
  readonly title: string;
  /** Of its file, beside index.md: `installation.md`. */
  readonly file: string;
  readonly description: string;
}

export interface PageGroup {
  readonly title: string;
  readonly pages: readonly Page[];
}

const HEADING = /^## (.+)$/;
const ENTRY = /^- \[([^\]]+)\]\(([a-z-]+\.md)\): (.+)$/;

/** The pages in the order of docs/index.md: the sidebar and `llms.txt` have no order of their own. */
export function readPages(docs: string): PageGroup[] {
  const groups: { title: string; pages: Page[] }[] = [];
  for (const line of readFileSync(join(docs, 'index.md'), 'utf8').split('\n')) {
    const heading = HEADING.exec(line);
    if (heading) groups.push({ title: heading[1], pages: [] });
    const entry = ENTRY.exec(line);
    if (entry) groups.at(-1)?.pages.push({ title: entry[1], file: entry[2], description: entry[3] });
  }
  return groups;
}

/** What programs read instead of the site: https://llmstxt.org. The pages lie beside it as Markdown. */
export function llmsText(name: string, summary: string, groups: readonly PageGroup[]): string {
  const sections = groups.map(({ title, pages }) => {
    const lines = pages.map((page) => `- [${page.title}](/${page.file}): ${page.description}`);
    return `## ${title}\n\n${lines.join('\n')}\n`;
  });
  return [`# ${name}\n`, `> ${summary}\n`, ...sections].join('\n');
}

/** Anchors as GitHub makes them, so that one link works there, on npm and on the site. */
export function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number}_\- ]/gu, '')
    .replaceAll(' ', '-');
}
