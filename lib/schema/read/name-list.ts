/** `"a b", c, """d"` becomes `['a b', 'c', '"d']`. PostgreSQL stores a parameter that lists names in this form. */
export function splitNameList(list: string): string[] {
  return Array.from(list.matchAll(/"((?:[^"]|"")*)"|[^\s,"]+/g), ([text, quoted]: RegExpMatchArray) =>
    quoted === undefined ? text : quoted.replaceAll('""', '"'),
  );
}
