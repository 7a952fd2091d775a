import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const FENCE = /(<!-- test: (?<test>[\w-]+) -->\n+)?```(?<language>\w+)\n(?<text>[\s\S]*?)```/g;

export interface CodeBlock {
  readonly language: string;
  readonly text: string;
  /** What the comment `<!-- test: … -->` above it says, if there is one. */
  readonly test?: string;
}

export function codeBlocks(document: string): CodeBlock[] {
  const markdown = readFileSync(join(ROOT, document), 'utf8');
  return [...markdown.matchAll(FENCE)].map(({ groups }) => groups as unknown as CodeBlock);
}

/** What stands between backticks in a line. */
export function codeSpans(document: string): string[] {
  const markdown = readFileSync(join(ROOT, document), 'utf8');
  return [...markdown.matchAll(/`([^`\n]+)`/g)].map(([, text]) => text);
}

/** What the blocks of JSON hold, in their order. */
export function jsonBlocks(document: string): Record<string, unknown>[] {
  const blocks = codeBlocks(document).filter(({ language }) => language === 'json');
  return blocks.map(({ text }) => JSON.parse(text) as Record<string, unknown>);
}

/** Commands and what each is said to print, of a block in which `# ` begins a line of output. */
export function transcript({ text }: CodeBlock): { command: string; output: string }[] {
  const steps: { command: string; output: string }[] = [];
  for (const line of text.split('\n').filter(Boolean)) {
    const step = steps.at(-1);
    if (line.startsWith('# ') && step) step.output += line.slice(2);
    else steps.push({ command: line, output: '' });
  }
  return steps;
}

/** A pattern for an output in which `…` stands for any text. */
export function outputPattern(output: string): RegExp {
  const parts = output.split('…').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^"]+')}$`);
}
