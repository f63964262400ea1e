/** A value in a list filter of Temporal's visibility (https://docs.temporal.io/list-filter). */
export function quote(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
