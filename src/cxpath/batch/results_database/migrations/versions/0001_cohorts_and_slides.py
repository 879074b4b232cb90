"""The first tables: cohorts and their slides."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "cohorts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("written", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_cohorts"),
    )
    op.create_table(
        "slides",
        sa.Column("cohort", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("slide", sa.Text()),
        sa.Column("case", sa.Text()),
        sa.Column("block", sa.Text()),
        sa.Column("batch", sa.Text()),
        sa.Column("scanner", sa.Text()),
        sa.Column("status", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("hint", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("not_evaluable_because", sa.Text()),
        sa.Column("assay", sa.Text()),
        sa.Column("tumour", sa.Text()),
        sa.Column("marker", sa.Text()),
        sa.Column("cps", sa.Float()),
        sa.Column("cps_reported", sa.Text()),
        sa.Column("cps_low", sa.Float()),
        sa.Column("cps_high", sa.Float()),
        sa.Column("cps_slide_low", sa.Float()),
        sa.Column("cps_slide_high", sa.Float()),
        sa.Column("cps_at_least_1", sa.Boolean()),
        sa.Column("cps_at_least_10", sa.Boolean()),
        sa.Column("borderline", sa.Boolean()),
        sa.Column("uncertain_cutoffs", sa.Text()),
        sa.Column("tps", sa.Float()),
        sa.Column("tps_low", sa.Float()),
        sa.Column("tps_high", sa.Float()),
        sa.Column("h_score", sa.Float()),
        sa.Column("viable_tumour_cells", sa.Integer()),
        sa.Column("tumour_positive", sa.Integer()),
        sa.Column("tumour_negative", sa.Integer()),
        sa.Column("immune_positive", sa.Integer()),
        sa.Column("scored_mm2", sa.Float()),
        sa.Column("excluded_mm2", sa.Float()),
        sa.Column("in_focus_percent", sa.Float()),
        sa.Column("tumour_cells_per_mm2", sa.Float()),
        sa.Column("white_red", sa.Float()),
        sa.Column("white_green", sa.Float()),
        sa.Column("white_blue", sa.Float()),
        sa.Column("hematoxylin_red", sa.Float()),
        sa.Column("hematoxylin_green", sa.Float()),
        sa.Column("hematoxylin_blue", sa.Float()),
        sa.Column("dab_red", sa.Float()),
        sa.Column("dab_green", sa.Float()),
        sa.Column("dab_blue", sa.Float()),
        sa.Column("mpp", sa.Float()),
        sa.Column("mpp_source", sa.Text()),
        sa.Column("notice", sa.Text()),
        sa.Column("warnings", sa.Text()),
        sa.Column("attempts", sa.Integer()),
        sa.Column("seconds", sa.Float()),
        sa.Column("worker", sa.Text()),
        sa.Column("started", sa.Text()),
        sa.Column("finished", sa.Text()),
        sa.Column("slide_digest", sa.Text()),
        sa.Column("model", sa.Text()),
        sa.Column("model_digest", sa.Text()),
        sa.Column("configuration_digest", sa.Text()),
        sa.Column("cxpath", sa.Text()),
        sa.Column("notes", sa.Text()),
        sa.PrimaryKeyConstraint("cohort", "id", name="pk_slides"),
        sa.ForeignKeyConstraint(["cohort"], ["cohorts.key"], name="fk_slides_cohort", ondelete="CASCADE"),
    )


def downgrade() -> None:
    """Remove both tables: the files hold all results."""
    op.drop_table("slides")
    op.drop_table("cohorts")
