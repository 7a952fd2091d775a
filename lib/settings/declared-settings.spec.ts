import { DeclaredSettings } from './declared-settings';
import { checkOptions } from '../common/options/check-options';
import { defineSettings, feature, setting } from './setting';
import { InvalidSettingsError } from './settings.errors';
import { CheckedSettingsOptions } from './settings.options';

const declare = (settings: unknown, cache?: object) =>
  new DeclaredSettings(checkOptions(CheckedSettingsOptions, { settings, cache }, InvalidSettingsError));

it.each([
  ['no settings', undefined, 'settings is missing'],
  ['a list', [], 'settings is []'],
  ['a key that is no name', { 'the me': setting({ default: 1 }) }, "settings has the key 'the me'"],
  [
    'a key that every object has',
    { ['__proto__']: setting({ default: 1 }) },
    "settings has the key '__proto__'",
  ],
  ['a key of 65 characters', { ['k'.repeat(65)]: setting({ default: 1 }) }, 'settings has the key'],
  ['a bare value', { theme: 'light' }, "theme is 'light'"],
  ['no default', { theme: setting({} as never) }, 'theme.default must hold JSON values only'],
  [
    'a default that is no JSON',
    { since: setting({ default: new Date() }) },
    'since.default must hold JSON values only',
  ],
  [
    'a default that is no number',
    { rate: setting({ default: NaN }) },
    'rate.default must hold JSON values only',
  ],
  [
    'a default that is refused',
    { seats: setting({ default: 0, validate: (n) => n > 0 }) },
    'seats.default is not allowed',
  ],
  [
    'a rule that is none',
    { seats: setting({ default: 0, validate: /./ as never }) },
    'seats.validate is /./',
  ],
  ['a third way', { seats: setting({ default: 0, tenant: 'admin' as never }) }, "seats.tenant is 'admin'"],
  [
    'a feature that is half on',
    { exports: feature({ default: 'beta' as never }) },
    "exports.default is 'beta'",
  ],
])('settings are refused at the start: %s', (_what, settings, message) => {
  expect(() => declare(settings)).toThrow(message);
});

it('all that is wrong is named at once', () => {
  expect(() => declare({ a: 1, b: 2 }, { ttlMs: -1, maxEntries: 0 })).toThrow(
    /- settings.a is 1.*\n- settings.b is 2.*\n- cache.ttlMs is -1.*\n- cache.maxEntries is 0/,
  );
});

it('a default is shared by all tenants without a value of their own, and cannot be changed', () => {
  const limits = { perDay: 5, days: ['monday'] };
  const standard = declare(defineSettings({ limits: setting({ default: limits }) })).get('limits').default;
  expect(() => Object.assign(standard as object, { perDay: 1_000 })).toThrow(TypeError);
  expect(() => (standard as typeof limits).days.push('sunday')).toThrow(TypeError);
});

it('another default is another state, another rule is not', () => {
  const fingerprint = (standard: string, validate?: () => boolean) =>
    declare(defineSettings({ theme: setting({ default: standard, validate }) })).fingerprint;
  expect(fingerprint('light')).toBe(fingerprint('light', () => true));
  expect(fingerprint('light')).not.toBe(fingerprint('dark'));
});
