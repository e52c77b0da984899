// The modules that a contract can import, each as `tana/name` and as `tana:name`.
/// <reference path="./core.d.ts" />
/// <reference path="./utils.d.ts" />
/// <reference path="./block.d.ts" />
/// <reference path="./tx.d.ts" />
/// <reference path="./data.d.ts" />
/// <reference path="./context.d.ts" />
/// <reference path="./net.d.ts" />
