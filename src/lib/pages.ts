interface Page<T> {
  items: readonly T[] | null | undefined;
  nextPageToken?: Uint8Array | null | undefined;
}

/** The items of a list that Temporal returns in pages. `readPage` reads one page, the first one with an empty token. */
export async function* itemsOfPages<T>(readPage: (nextPageToken: Uint8Array) => Promise<Page<T>>): AsyncGenerator<T> {
  let token: Uint8Array | null | undefined = new Uint8Array();
  do {
    const { items, nextPageToken } = await readPage(token);
    yield* items ?? [];
    token = nextPageToken;
  } while (token && token.length > 0);
}
