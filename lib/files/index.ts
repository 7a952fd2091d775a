/**
 * Files for each tenant.
 *
 * @module nestjs-tenancy/files
 */

export { TenancyFilesModule } from './tenancy-files.module';
export { type TenancyFilesExtras, type TenancyFilesOptions } from './files.options';
export { type FileBody } from './file-body';
export {
  type FileList,
  type ListOptions,
  type PutOptions,
  TenantFiles,
  type UploadOptions,
} from './tenant-files';
export { type SignedUrlOptions } from './file-links';
export {
  type BeforeKept,
  type FileAbout,
  type FileInfo,
  type FileLink,
  type FilePage,
  type FilePlace,
  type FileRange,
  FileStore,
  type FileUpload,
  type ListedFile,
  type OpenedFile,
  type SignedUpload,
} from './file-store';
export { DirectoryFileStore } from './directory/directory-file-store';
export {
  FileBodyReadError,
  FileDamagedError,
  type FileField,
  FileNotFoundError,
  FileRangeError,
  FileTooLargeError,
  InvalidFileError,
  InvalidFilesOptionsError,
} from './files.errors';
