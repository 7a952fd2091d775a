import { BODY_ERRORS, type DocumentedCall } from '../../http/openapi/documented-call';
import { SettingModel, SettingsModel } from './models';

const UNKNOWN = { 404: 'TENANT_NOT_FOUND, SETTING_NOT_FOUND' };

/** By the names of the handlers of `SettingsController`. */
export const SETTING_CALLS: Readonly<Record<string, DocumentedCall>> = {
  list: {
    summary: 'Tell all settings of a tenant',
    answers: { 200: SettingsModel, 304: undefined },
    errors: { 404: 'TENANT_NOT_FOUND' },
    headers: ['If-None-Match'],
    params: ['tenant'],
  },
  get: {
    summary: 'Tell a setting of a tenant',
    answers: { 200: SettingModel, 304: undefined },
    errors: UNKNOWN,
    headers: ['If-None-Match'],
    params: ['tenant', 'setting'],
  },
  set: {
    summary: 'Set a value for a tenant',
    answers: { 200: SettingModel },
    errors: { ...UNKNOWN, ...BODY_ERRORS, 412: 'PRECONDITION_FAILED' },
    headers: ['If-Match'],
    params: ['tenant', 'setting'],
  },
  reset: {
    summary: 'Remove the value of a tenant, so that the default is used',
    answers: { 200: SettingModel },
    errors: { ...UNKNOWN, 412: 'PRECONDITION_FAILED' },
    headers: ['If-Match'],
    params: ['tenant', 'setting'],
  },
};
