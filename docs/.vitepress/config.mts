import { existsSync, readFileSync } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type DefaultTheme } from 'vitepress';
import { findDeadAnchors } from './dead-anchors.js';
import { llmsText, readPages, slugOf } from './pages.js';

const DOCS = fileURLToPath(new URL('..', import.meta.url));
const REPOSITORY = 'https://github.com/nestjs-tenancy/nestjs-tenancy';
const SUMMARY = 'Schema-per-tenant multi-tenancy for NestJS, TypeORM and PostgreSQL.';

const groups = readPages(DOCS);

/** The entries of the package. TypeDoc writes them before VitePress is started; each has a page that lists what is in it. */
function reference(): DefaultTheme.SidebarItem[] {
  const file = join(DOCS, 'reference/typedoc-sidebar.json');
  if (!existsSync(file)) throw new Error('There is no reference: npm run docs:reference makes it.');
  const modules = JSON.parse(readFileSync(file, 'utf8')) as DefaultTheme.SidebarItem[];
  return modules.map(({ text, link }) => ({ text, link }));
}

export default defineConfig({
  title: 'nestjs-tenancy',
  description: SUMMARY,
  lang: 'en',
  // The index of the search is one file.
  vite: { build: { chunkSizeWarningLimit: 2_000 } },
  markdown: { anchor: { slugify: slugOf } },
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/how-it-works' },
      { text: 'Reference', link: '/reference/' },
      { text: 'Changelog', link: `${REPOSITORY}/blob/main/CHANGELOG.md` },
    ],
    sidebar: {
      '/': groups.map(({ title, pages }) => ({
        text: title,
        items: pages.map((page) => ({ text: page.title, link: `/${page.file}` })),
      })),
      '/reference/': [{ text: 'Reference', link: '/reference/', items: reference() }],
    },
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
  },
  async buildEnd({ outDir }) {
    const dead = findDeadAnchors(outDir);
    if (dead.length > 0) throw new Error(`Dead anchors:\n${dead.join('\n')}`);
    await writeFile(join(outDir, 'llms.txt'), llmsText('nestjs-tenancy', SUMMARY, groups));
    const files = groups.flatMap(({ pages }) => pages.map(({ file }) => file));
    await Promise.all(files.map((file) => copyFile(join(DOCS, file), join(outDir, file))));
  },
});
