import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findDeadAnchors } from '../docs/.vitepress/dead-anchors';
import { llmsText, readPages, slugOf } from '../docs/.vitepress/pages';

describe('the site', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'site-spec-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function write(file: string, text: string): void {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), text);
  }

  it('is not built with a link to a place that is not on the page', () => {
    const links = (targets: readonly string[]) =>
      targets.map((target) => `<a href="${target}">there</a>`).join('');
    write('data.html', '<h2 id="copy">COPY</h2><h2 id="caf%C3%A9" tabindex="-1">…</h2>');
    write('reference/index.html', '<h2 id="modules">Modules</h2>');
    write('reference/a/b.html', links(['../#modules', '../../data.html#copy', '../#none']));
    write(
      'index.html',
      links([
        '/data.html#copy',
        'data#copy',
        '/reference/#modules',
        'https://example.com/#any',
        '/',
        '/data.html',
      ]) + links(['/data.html#copies', '#top', '/gone.html#copy']),
    );
    expect(findDeadAnchors(directory).sort()).toEqual([
      '/index.html: #top',
      '/index.html: /data.html#copies',
      '/index.html: /gone.html#copy',
      '/reference/a/b.html: ../#none',
    ]);
  });

  it('tells programs of each page, in the order of docs/index.md', () => {
    write(
      'index.md',
      '# Shop\n\n## Start\n\n- [Try it](try.md): what to type\n\n## Go on\n\n- [More](more.md): the rest\n',
    );
    expect(llmsText('shop', 'A shop.', readPages(directory))).toBe(
      '# shop\n\n> A shop.\n\n## Start\n\n- [Try it](/try.md): what to type\n\n## Go on\n\n- [More](/more.md): the rest\n',
    );
  });

  it('has the anchors that GitHub has', () => {
    expect(slugOf('`transaction = false`')).toBe('transaction--false');
    expect(slugOf('From `search_path` set by hand')).toBe('from-search_path-set-by-hand');
    expect(slugOf("PostgreSQL's own view")).toBe('postgresqls-own-view');
  });
});
