/**
 * Whether a roster lists the application alone. Graph may list others a moment later, so such a roster does not prove
 * that nobody else is there.
 */
export function isAlone(listed: readonly unknown[]): boolean {
  return listed.length === 1;
}
