/** `"a b", c, """d"` becomes `['a b', 'c', '"d']`: how PostgreSQL stores a setting that lists names. */
export function splitNameList(list: string): string[] {
  return Array.from(list.matchAll(/"((?:[^"]|"")*)"|[^\s,"]+/g), ([text, quoted]: RegExpMatchArray) =>
    quoted === undefined ? text : quoted.replaceAll('""', '"'),
  );
}
