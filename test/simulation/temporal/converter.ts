import { loadDataConverter } from '@temporalio/common/lib/internal-non-workflow/index.js';

/** Of clients and activities: the SDK's own, without encryption. */
export const defaultDataConverter = loadDataConverter({});
