import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Command, Option } from 'nest-commander';
import { CommandLineError } from '../cli.errors';
import { nearestManifest } from '../nearest-manifest';
import { type Answer, type CommonOptions, TenancyCommand } from '../tenancy-command';
import { initFiles, INIT_STEPS } from './init-files';

interface InitOptions extends CommonOptions {
  readonly directory?: string;
}

@Command({ name: 'init', description: 'write the first files into a project, and tell what is left to do' })
export class InitCommand extends TenancyCommand<InitOptions> {
  protected readonly examples = ['tenancy init', 'tenancy init --directory src/tenants'];

  @Option({ flags: '-d, --directory <path>', description: 'where the files go (default: src)' })
  parseDirectory(directory: string): string {
    return directory;
  }

  protected async work(_args: readonly string[], { directory = 'src' }: InitOptions): Promise<Answer> {
    const written: string[] = [];
    const kept: string[] = [];
    const isModule = nearestManifest(directory)?.content.type === 'module';
    for (const [name, content] of Object.entries(initFiles(isModule ? '.js' : ''))) {
      const file = join(directory, name);
      ((await writeNew(file, content)) ? written : kept).push(relative('.', file));
    }
    const text = [
      ...written.map((file) => `written  ${file}`),
      ...kept.map((file) => `kept     ${file}: it was there already`),
      '\nWhat is left to do:',
      ...INIT_STEPS.map((step, index) => `${index + 1}. ${step}`),
    ];
    return { value: { written, kept, steps: INIT_STEPS }, text: text.join('\n') };
  }
}

/** Writes the file unless it exists. Returns whether it was written. */
async function writeNew(file: string, content: string): Promise<boolean> {
  try {
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new CommandLineError(`${file} cannot be written: ${(error as Error).message}`, { cause: error });
  }
}
