import { setTimeout as sleep } from "node:timers/promises";
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { waitFor } from "../wait.ts";
import type { End, Functions, Run } from "./functions.ts";
import type { MotoSettings } from "./moto.ts";
import { ACCOUNT, REGION, type Stack } from "./template.ts";

/** How long a poller waits if the queue is empty; milliseconds. Each poll costs 6 ms of CPU. */
const PAUSE = 250;
/** Lambda's own default. */
const BATCH = 10;

interface MappingProperties {
  readonly EventSourceArn: string;
  readonly FunctionName: string;
  readonly BatchSize?: number;
  readonly Enabled?: boolean;
  readonly FunctionResponseTypes?: readonly string[];
  readonly ScalingConfig?: { readonly MaximumConcurrency?: number };
}

/** A batch delivered to a function. */
export interface Delivery {
  readonly function: string;
  readonly queue: string;
  readonly messages: readonly Message[];
  readonly run: Run;
  /** The ids of the messages that stay in the queue; set once it is over. */
  failed?: readonly string[];
  /** The ids of messages that were made visible again. */
  readonly back: Set<string>;
}

/**
 * The event source mappings of the stack. They poll SQS like Lambda. Successful messages are deleted; failed ones stay in
 * the queue until their visibility timeout, and the queue's redrive policy moves them to the dead letters.
 */
export interface Queues extends AsyncDisposable {
  /** All deliveries so far, oldest first; the list grows. */
  readonly deliveries: readonly Delivery[];
  /** Ends the visibility timeout of failed messages that fit. Returns their number. */
  redeliver(fits?: (message: Message) => boolean): Promise<number>;
  /** Waits until no queue with a mapping has visible messages and no delivery is in progress. */
  idle(options?: { readonly timeout?: number }): Promise<void>;
  /** Stops polling until the returned function is called. Running deliveries continue. */
  pause(): () => void;
}

interface Mapping {
  readonly function: string;
  readonly queue: string;
  readonly url: string;
  readonly batch: number;
  readonly most: number;
  readonly reportsFailures: boolean;
}

interface Source {
  readonly client: SQSClient;
  readonly functions: Functions;
  readonly deliveries: Delivery[];
  readonly stop: AbortController;
  isPaused: boolean;
  /** Polls and deliveries in progress. */
  readonly busy: Set<Promise<unknown>>;
}

export function pollQueues(stack: Stack, functions: Functions, settings: MotoSettings): Queues {
  const client = new SQSClient(settings);
  const mappings = stack
    .resources<MappingProperties>("AWS::Lambda::EventSourceMapping")
    .filter(({ properties }) => properties.Enabled !== false)
    .map(({ properties }) => mappingOf(properties, functions, settings));
  const source: Source = {
    client,
    functions,
    deliveries: [],
    stop: new AbortController(),
    isPaused: false,
    busy: new Set(),
  };
  const pollers = mappings.map((mapping) => poll(source, mapping));
  return {
    deliveries: source.deliveries,
    redeliver: (fits = () => true) => redeliver(source, mappings, fits),
    idle: ({ timeout = 60_000 } = {}) =>
      waitFor("the queues to be idle", () => isIdle(source, mappings), { timeout }).then(() => {}),
    pause: () => {
      source.isPaused = true;
      return () => {
        source.isPaused = false;
      };
    },
    [Symbol.asyncDispose]: async () => {
      source.stop.abort();
      await Promise.all(pollers);
      client.destroy();
    },
  };
}

function mappingOf(properties: MappingProperties, functions: Functions, { endpoint }: MotoSettings): Mapping {
  const queue = properties.EventSourceArn.split(":").at(-1) ?? "";
  return {
    function: functions.nameOf(properties.FunctionName),
    queue,
    url: `${endpoint}/${ACCOUNT}/${queue}`,
    batch: properties.BatchSize ?? BATCH,
    most: properties.ScalingConfig?.MaximumConcurrency ?? 1000,
    reportsFailures: properties.FunctionResponseTypes?.includes("ReportBatchItemFailures") === true,
  };
}

/** Receives while fewer runs than the mapping allows are in progress. */
async function poll(source: Source, mapping: Mapping): Promise<void> {
  const { stop, busy } = source;
  const running = new Set<Promise<void>>();
  while (!stop.signal.aborted) {
    const mayReceive = !source.isPaused && running.size < mapping.most;
    const messages = mayReceive ? await tracked(busy, receive(source, mapping)) : [];
    if (messages.length === 0) {
      await sleep(PAUSE);
      continue;
    }
    const delivery: Promise<void> = deliver(source, mapping, messages).finally(() => {
      running.delete(delivery);
      busy.delete(delivery);
    });
    running.add(delivery);
    busy.add(delivery);
  }
  await Promise.all(running);
}

function tracked<T>(busy: Set<Promise<unknown>>, work: Promise<T>): Promise<T> {
  const tracked: Promise<T> = work.finally(() => busy.delete(tracked));
  busy.add(tracked);
  return tracked;
}

async function receive({ client, stop }: Source, { url, batch }: Mapping): Promise<readonly Message[]> {
  const command = new ReceiveMessageCommand({
    QueueUrl: url,
    MaxNumberOfMessages: Math.min(batch, 10),
    MessageSystemAttributeNames: ["All"],
    MessageAttributeNames: ["All"],
  });
  const answer = await client.send(command).catch((error: unknown) => {
    // The emulator may end before its poller.
    if (stop.signal.aborted) return { Messages: [] };
    throw error;
  });
  return answer.Messages ?? [];
}

async function deliver(source: Source, mapping: Mapping, messages: readonly Message[]): Promise<void> {
  const run = source.functions.invoke(mapping.function, eventOf(mapping, messages));
  const delivery: Delivery = {
    function: mapping.function,
    queue: mapping.queue,
    messages,
    run,
    back: new Set(),
  };
  source.deliveries.push(delivery);
  const failed = failuresOf(mapping, messages, await run.end);
  for (const { MessageId: id = "", ReceiptHandle: receipt } of messages)
    if (!failed.includes(id))
      await source.client.send(new DeleteMessageCommand({ QueueUrl: mapping.url, ReceiptHandle: receipt }));
  delivery.failed = failed;
}

/** As in Lambda, an answer that names an unknown message counts as a failure of all. */
function failuresOf({ reportsFailures }: Mapping, messages: readonly Message[], end: End): readonly string[] {
  const all = messages.map(({ MessageId = "" }) => MessageId);
  if (end.kind !== "answered") return all;
  const { batchItemFailures } = (end.answer ?? {}) as { batchItemFailures?: { itemIdentifier: string }[] };
  if (!reportsFailures || !batchItemFailures) return [];
  const named = batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  return named.every((id) => all.includes(id)) ? named : all;
}

function eventOf({ queue }: Mapping, messages: readonly Message[]) {
  const arn = `arn:aws:sqs:${REGION}:${ACCOUNT}:${queue}`;
  return {
    Records: messages.map((message) => ({
      messageId: message.MessageId,
      receiptHandle: message.ReceiptHandle,
      body: message.Body,
      attributes: message.Attributes ?? {},
      messageAttributes: Object.fromEntries(
        Object.entries(message.MessageAttributes ?? {}).map(([name, { StringValue, DataType }]) => [
          name,
          { stringValue: StringValue, dataType: DataType, stringListValues: [], binaryListValues: [] },
        ]),
      ),
      md5OfBody: message.MD5OfBody,
      eventSource: "aws:sqs",
      eventSourceARN: arn,
      awsRegion: REGION,
    })),
  };
}

async function redeliver(
  { client, deliveries }: Source,
  mappings: readonly Mapping[],
  fits: (message: Message) => boolean,
): Promise<number> {
  let count = 0;
  for (const delivery of deliveries) {
    const url = mappings.find(({ queue }) => queue === delivery.queue)?.url;
    for (const message of delivery.messages) {
      const { MessageId: id = "", ReceiptHandle: receipt } = message;
      if (delivery.failed?.includes(id) !== true || delivery.back.has(id) || !fits(message)) continue;
      delivery.back.add(id);
      const command = { QueueUrl: url, ReceiptHandle: receipt, VisibilityTimeout: 0 };
      await client.send(new ChangeMessageVisibilityCommand(command));
      count += 1;
    }
  }
  return count;
}

async function isIdle({ client, busy, deliveries }: Source, mappings: readonly Mapping[]): Promise<boolean> {
  const isUnderWay = deliveries.some(({ failed }) => failed === undefined);
  if (isUnderWay) return false;
  for (const { url } of mappings) {
    const names = ["ApproximateNumberOfMessages"] as const;
    const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [...names] });
    const { Attributes: attributes } = await client.send(command);
    if (Number(attributes?.[names[0]]) > 0) return false;
  }
  // A message that a poller has just received is neither in the queue nor delivered.
  await Promise.allSettled(busy);
  return deliveries.every(({ failed }) => failed !== undefined);
}
