import { shown } from './shown.js'

/** Texts are parted into paragraphs by empty lines; single line feeds stay. */
export function paragraphs(text: string): string[] {
  return shown(text, { lines: true })
    .split(/\n\s*\n/)
    .map((one) => one.trim())
    .filter((one) => one !== '')
}
