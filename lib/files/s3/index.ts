/**
 * Files of tenants in S3, or in a store that speaks as S3 does.
 *
 * @module nestjs-tenancy/files/s3
 */

export { S3FileStore } from './s3-file-store';
export { type S3FileStoreOptions } from './s3.options';
