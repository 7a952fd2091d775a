export { TenancyAdminModule } from './tenancy-admin.module';
export { type TenancyAdminOptions } from './admin.options';
export { MasterKeyInvalidError, MasterKeyMissingError } from './admin.errors';
