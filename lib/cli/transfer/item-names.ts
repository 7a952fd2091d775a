import type { ItemCount } from '../../transfer/transfer-hooks';

/** `files, icons` */
export function namesOf(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

/** What modules keep outside of PostgreSQL, behind the rows: `, 3 files (12045 bytes)`. */
export function itemsText(items: Readonly<Record<string, ItemCount>>): string {
  return Object.entries(items)
    .map(([name, { items: count, bytes }]) => `, ${count} ${name} (${bytes} bytes)`)
    .join('');
}
