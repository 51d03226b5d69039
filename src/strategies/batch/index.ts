export { bestBatchSize, createBatchSizes, LARGEST_BATCH, tokensAQuestion, type BatchSizes, type BatchTokens } from './accounting.js'
export { answerBatch, type BatchAnswer, type BatchItem, type BatchOptions } from './answer-batch.js'
export { batchQuota, type BatchQuotaOptions } from './batch-quota.js'
