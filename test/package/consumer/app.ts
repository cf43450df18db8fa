/** How a user of the package deploys it. */
import { App, Stack } from "aws-cdk-lib";
import { Pawl } from "pawl/cdk";

const app = new App({ outdir: "cdk.out" });
new Pawl(new Stack(app, "Shop"), "Pawl", { entry: "src/worker.ts" });
app.synth();
