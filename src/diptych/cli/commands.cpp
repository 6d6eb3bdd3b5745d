#include "diptych/cli/commands.h"

#include "diptych/cli/bench_command.h"
#include "diptych/cli/data_command.h"
#include "diptych/cli/decompose_command.h"
#include "diptych/cli/doctor_command.h"
#include "diptych/cli/eval_command.h"
#include "diptych/cli/export_command.h"
#include "diptych/cli/init_command.h"
#include "diptych/cli/inspect_command.h"
#include "diptych/cli/judge_command.h"
#include "diptych/cli/launch_command.h"
#include "diptych/cli/plan_command.h"
#include "diptych/cli/quickstart_command.h"
#include "diptych/cli/recipe_command.h"
#include "diptych/cli/report_command.h"
#include "diptych/cli/sample_command.h"
#include "diptych/cli/serve_command.h"
#include "diptych/cli/sft_command.h"
#include "diptych/cli/shapes_command.h"
#include "diptych/cli/train_command.h"
#include "diptych/cli/verify_command.h"

namespace diptych {

void add_commands(CLI::App& app, int& status) {
  add_quickstart(app, status);
  add_sample(app, status);
  add_shapes(app, status);
  add_recipe(app, status);
  add_plan(app, status);
  add_train(app, status);
  add_launch(app, status);
  add_report(app, status);
  add_export(app, status);
  add_eval(app, status);
  add_serve(app, status);
  add_data(app, status);
  add_judge(app, status);
  add_decompose(app, status);
  add_init(app, status);
  add_inspect(app, status);
  add_sft(app, status);
  add_verify(app, status);
  add_bench(app, status);
  add_doctor(app, status);
}

}  // namespace diptych
