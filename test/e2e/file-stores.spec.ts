import { itKeepsFiles } from '../support/files-contract';
import { STORES_OF_FILES } from '../support/stores-of-files';

describe.each(STORES_OF_FILES)('TenantFiles in %s', (_name, start) => itKeepsFiles(start));
