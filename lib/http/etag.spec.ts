import { etagOf, namesTag, versionsMatching } from './etag';

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const OTHER_ID = '01890a5d-ac96-774b-bcce-b302099a8058';
const TENANT = { id: ID, version: 3 };
const tag = (version: number, id = ID) => etagOf({ id, version });

describe('the tag of a tenant', () => {
  it('is strong, and differs by version and by tenant', () => {
    expect(tag(3)).toBe(`"${ID}.3"`);
    expect(new Set([tag(3), tag(4), tag(3, OTHER_ID)]).size).toBe(3);
  });
});

describe('If-Match', () => {
  it.each<[string, string | undefined, number[] | undefined]>([
    ['nothing', undefined, undefined],
    ['*', '*', undefined],
    ['* in white space', ' * ', undefined],
    ['one tag', tag(3), [3]],
    ['two', `${tag(3)}, ${tag(7)}`, [3, 7]],
    ['without white space', `${tag(3)},${tag(7)}`, [3, 7]],
    ['with empty elements', `, ${tag(3)},, ,`, [3]],
    ['foreign ones among them', `"abc", ${tag(3)}, "x,y"`, [3]],
    ['a weak one', `W/${tag(3)}`, []],
    ['a weak one and a strong one', `W/${tag(3)}, ${tag(4)}`, [4]],
    ['the tag of another tenant', tag(3, OTHER_ID), []],
    ['* within a list', `"abc", *`, []],
    ['* in quotes', '"*"', []],
    ['an empty value', '', []],
    ['an empty tag', '""', []],
    ['no quotes', `${ID}.3`, []],
    ['one quote', `"${ID}.3`, []],
    ['single quotes', `'${ID}.3'`, []],
    ['a lower-case w', `w/${tag(3)}`, []],
    ['a version that is none', `"${ID}.x"`, []],
    ['a negative version', `"${ID}.-3"`, []],
    ['a version of 30 digits', `"${ID}.${'9'.repeat(30)}"`, []],
    ['white space in the tag', `"${ID}.3 "`, []],
    ['10 kB of commas', ','.repeat(10_000), []],
  ])('%s', (_case, header, versions) => {
    expect(versionsMatching(header, TENANT)).toEqual(versions);
  });
});

describe('If-None-Match', () => {
  it.each([
    [tag(3), true],
    [`W/${tag(3)}`, true],
    [`"abc", W/${tag(3)}`, true],
    ['*', true],
    [undefined, false],
    ['', false],
    [tag(4), false],
    [tag(3, OTHER_ID), false],
    [`${ID}.3`, false],
    ['"*"', false],
  ])('%s: %p', (header, names) => {
    expect(namesTag(header, etagOf(TENANT))).toBe(names);
  });
});
