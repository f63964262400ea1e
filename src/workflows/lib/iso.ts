/** A time in ms as ISO 8601 in UTC: as people, results and activities take it. */
export function iso(time: number): string {
  return new Date(time).toISOString();
}
