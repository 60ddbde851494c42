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

/** How long a poller waits when the queue was empty; milliseconds. */
const PAUSE = 100;
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

/** A batch that was given to a function. */
export interface Delivery {
  readonly function: string;
  readonly queue: string;
  readonly messages: readonly Message[];
  readonly run: Run;
  /** Once it is over: the ids of the messages that stay in the queue. */
  failed?: readonly string[];
  /** The ids of those that were made visible again. */
  readonly back: Set<string>;
}

/**
 * The event source mappings of the stack: they poll SQS by its API as Lambda does. What succeeded is deleted;
 * what failed stays in the queue until its visibility timeout is over, and goes to the dead letters when the
 * queue's redrive policy says so (that is the queue's work).
 */
export interface Queues extends AsyncDisposable {
  /** Every delivery so far, oldest first; the list grows. */
  readonly deliveries: readonly Delivery[];
  /** Lets the visibility timeout be over now of all that failed and `fits`. Returns how many messages that are. */
  redeliver(fits?: (message: Message) => boolean): Promise<number>;
  /** Waits until every queue with a mapping has no message to give out and no delivery is under way. */
  idle(options?: { readonly timeout?: number }): Promise<void>;
  /** Stops polling until the returned is called; what is under way goes on. */
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
  /** Polls and deliveries that are under way. */
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

/** Receives while fewer runs than the mapping allows are under way. */
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
    // The emulator may be gone before its poller.
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

/** An answer that names a message which was not given counts as a failure of all, as Lambda has it. */
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
      const wish = { QueueUrl: url, ReceiptHandle: receipt, VisibilityTimeout: 0 };
      await client.send(new ChangeMessageVisibilityCommand(wish));
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
    const wish = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [...names] });
    const { Attributes: attributes } = await client.send(wish);
    if (Number(attributes?.[names[0]]) > 0) return false;
  }
  // A message that a poller holds in its hand is neither in the queue nor delivered yet.
  await Promise.allSettled(busy);
  return deliveries.every(({ failed }) => failed !== undefined);
}
