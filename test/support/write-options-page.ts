import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './commands';
import { optionsPage } from './options-page';

writeFileSync(join(REPOSITORY, 'docs/options.md'), optionsPage());
