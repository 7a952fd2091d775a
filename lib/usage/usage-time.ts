import type { QuotaPeriod } from './usage.options';

const DAY_MS = 86_400_000;

/** The day in UTC: `2026-11-25`. */
export function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10);
}

/** The first day of the month of a day: `2026-11-01`. */
export function monthOf(day: string): string {
  return `${day.slice(0, 7)}-01`;
}

/** The place of a day among the 31 of its month, from 0. */
export function indexInMonth(day: string): number {
  return Number(day.slice(8)) - 1;
}

/** Whether it is a date that exists. */
export function isDay(text: string): boolean {
  const time = new Date(`${text}T00:00:00Z`);
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(time.getTime()) && dayOf(time) === text;
}

/** All days of a range, both ends included. */
export function daysBetween(from: string, to: string): string[] {
  const first = Date.parse(from);
  const count = Math.round((Date.parse(to) - first) / DAY_MS) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => dayOf(new Date(first + i * DAY_MS)));
}

/** Whole seconds until the day or month ends, at least 1. */
export function secondsLeft(per: QuotaPeriod, now: Date): number {
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  const end = per === 'day' ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1);
  return Math.max(1, Math.ceil((end - now.getTime()) / 1000));
}
