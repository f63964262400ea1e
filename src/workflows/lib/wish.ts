/** When something was wished for, by another machine's clock; a wish never comes from the future. */
export function clampToNow(wishedAt: number | undefined): number {
  return Math.min(wishedAt ?? Infinity, Date.now());
}
