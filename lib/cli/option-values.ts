import { readFile } from 'node:fs/promises';
import { CommandLineError } from './cli.errors';

/** The JSON object in an option's value. @throws CommandLineError when it is not one */
export function jsonObject<T>(option: string, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CommandLineError(`${option} is no JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as T;
  throw new CommandLineError(`${option} must be a JSON object, as in '{ "key": "value" }'.`);
}

/** The JSON object in the file that an option names. @throws CommandLineError when it cannot be read or is not one */
export async function jsonFile<T>(option: string, file: string): Promise<T> {
  return jsonObject(`${option} ${file}`, await readText(option, file));
}

/** The text of the file that an option names. @throws CommandLineError when it cannot be read */
export async function readText(option: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new CommandLineError(`${option} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** The integer in an option's value. @throws CommandLineError when it is not one, or out of bounds */
export function integer(option: string, text: string, from: number, to = Number.MAX_SAFE_INTEGER): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= from && value <= to) return value;
  const upTo = to === Number.MAX_SAFE_INTEGER ? '' : ` to ${to}`;
  throw new CommandLineError(`${option} must be an integer from ${from}${upTo}, got "${text}".`);
}

/** The value of an option. @throws CommandLineError when it is none of `choices` */
export function oneOf(option: string, text: string, choices: readonly string[]): string {
  if (choices.includes(text)) return text;
  throw new CommandLineError(`${option} must be ${choices.join(' or ')}, got "${text}".`);
}
