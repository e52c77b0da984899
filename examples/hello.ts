// The smallest contract: called on the chain, run from the command line, or served by the edge.
//
//   tana run examples/hello.ts
//   tana-edge --dir examples     and then   curl http://localhost:8180/hello?name=you
import { console, version } from "tana/core";
import { block } from "tana/block";
import { context } from "tana/context";
import type { Request } from "tana/net";

interface Greeting {
  hello: string;
  height: number;
}

function greet(name: string): Greeting {
  return { hello: name, height: block.height };
}

/** Runs in a block, or with `tana run`. */
export function contract(): Greeting {
  const input = context.input() as { name?: string } | null;
  console.log(`hello from tana ${version.tana}`);
  return greet(input?.name ?? "world");
}

/** Answers `GET /hello`. */
export function get(req: Request): Greeting {
  return greet(req.query.name ?? "world");
}
