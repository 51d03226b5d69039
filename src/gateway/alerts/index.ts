export { createWebhook, type Webhook, type WebhookCounts, type WebhookOptions } from './webhook.js'
export { alertText, payloadOf, type AlertPayload, type RollBackAlert, type RollBackPayload } from './payload.js'
