import { itKeepsFiles } from '../support/files-contract';
import { s3 } from '../support/stores-of-files';
import { startCeph } from '../support/system/ceph';

/** A server that many run, and none that was written for a test: what it takes for S3's protocol, S3FileStore must speak. */
describe('TenantFiles in a bucket of Ceph', () => itKeepsFiles(() => s3(startCeph)));
