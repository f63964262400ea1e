import { OperatorError } from '../lib/operator-error.ts';
import { reasonOf } from '../lib/error-reason.ts';

/** Thrown where an address cannot be listened on, with the settings that choose it. */
class AddressNotAvailable extends OperatorError {
  override readonly name = 'AddressNotAvailable';

  constructor({ host, port }: { host: string; port: number }, variables: string, cause: Error) {
    super(
      `${host}:${port} cannot be listened on (${reasonOf(cause)}). Free the port, or set ${variables} to another address.`,
      { cause },
    );
  }
}

/** Runs `listen`; an address that is taken, or that this machine does not have, is said in words. */
export async function listenOn<T>(
  address: { host: string; port: number },
  variables: string,
  listen: () => Promise<T>,
): Promise<T> {
  try {
    return await listen();
  } catch (error) {
    const isAddress = error instanceof Error && 'syscall' in error && error.syscall === 'listen';
    throw isAddress ? new AddressNotAvailable(address, variables, error) : error;
  }
}
