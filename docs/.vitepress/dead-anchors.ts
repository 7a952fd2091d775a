import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

const ID = /\sid="([^"]+)"/g;
const LINK = /\shref="([^"#?]*)#([^"]+)"/g;

/**
 * Links of a built site to a place that is not on the page: `/data.html: /fleet.html#drfit`. VitePress looks for dead pages
 * itself, and not for anchors.
 */
export function findDeadAnchors(site: string): string[] {
  const files = readdirSync(site, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.html'),
  );
  const pages = new Map(
    files.map((name) => [`/${posix.normalize(name)}`, readFileSync(join(site, name), 'utf8')]),
  );
  const ids = new Map(
    [...pages].map(([path, html]) => [path, new Set(matches(html, ID).map(([, id]) => id))]),
  );
  return [...pages].flatMap(([path, html]) =>
    matches(html, LINK)
      .filter(([, target]) => !/^[a-z]+:/.test(target))
      .filter(([, target, anchor]) => !ids.get(pageOf(path, target))?.has(decodeURIComponent(anchor)))
      .map(([, target, anchor]) => `${path}: ${target}#${anchor}`),
  );
}

/** The file that a link leads to: `/`, `data.html`, `/reference/`, or none for the page itself. */
function pageOf(from: string, target: string): string {
  if (target === '') return from;
  const path = posix.resolve(posix.dirname(from), target);
  if (path.endsWith('.html')) return path;
  return target.endsWith('/') ? posix.join(path, 'index.html') : `${path}.html`;
}

function matches(text: string, pattern: RegExp): RegExpExecArray[] {
  return [...text.matchAll(pattern)];
}
