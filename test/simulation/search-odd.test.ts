import { searching } from './searching.ts';

searching(1);
