import { AsyncLocalStorage } from 'node:async_hooks';

// As the worker does in the sandbox of the workflows, before the SDK is loaded.
Object.assign(globalThis, { AsyncLocalStorage });
