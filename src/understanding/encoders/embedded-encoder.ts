import type { Encoder } from '../features.js'
import { besides, threadedEncoder, type ThreadedEncoderOptions } from './threaded-encoder.js'

/**
 * The encoder whose weights come with its (optional) packages: `@energetic-ai/*` 0.2.0, English, 512 dimensions, some 30 MB on disk. The first 1,024 characters of a
 * text count. For paraphrases and topics; it barely tells "enable" from "disable" or 10 from 100, so it must never vouch alone that two texts mean the same.
 */
export function embeddedEncoder(options: ThreadedEncoderOptions = {}): Encoder {
  return threadedEncoder(
    { id: 'embedded:use-lite-en', dimensions: 512, longestText: 1024, module: besides('embedded-model'), settings: undefined },
    options,
  )
}
