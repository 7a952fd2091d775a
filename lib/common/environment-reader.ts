import type { FieldError } from './tenancy.errors';
import { show } from './show-value';

export type Environment = Readonly<Record<string, string | undefined>>;

/** `TENANCY_*` variables. An empty one is as good as unset. */
export class EnvironmentReader {
  /** What was read and cannot be used. */
  readonly problems: FieldError[] = [];

  constructor(private readonly environment: Environment) {}

  text(name: string): string | undefined {
    return this.environment[name] || undefined;
  }

  /** Separated by commas. */
  list(name: string): string[] | undefined {
    return this.text(name)
      ?.split(',')
      .map((each) => each.trim())
      .filter(Boolean);
  }

  integer(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (/^\d{1,15}$/.test(text)) return Number(text);
    return this.#refuse(name, text, 'give an integer');
  }

  boolean(name: string): boolean | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (text === 'true') return true;
    if (text === 'false') return false;
    return this.#refuse(name, text, 'give true or false');
  }

  #refuse(field: string, text: string, remedy: string): undefined {
    this.problems.push({ field, message: `is ${show(text)}: ${remedy}` });
  }
}
